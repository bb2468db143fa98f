fuzz_target(filter hotdesk-viewer-pure)
