unit_test(viewer_filter hotdesk-viewer-pure)
unit_test(viewer_keymap hotdesk-viewer-pure)
unit_test(viewer_view hotdesk-viewer-pure)
unit_test(viewer_picture hotdesk-viewer-picture)
