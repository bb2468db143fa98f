fuzz_target(filter hotdesk-viewer-pure)
fuzz_target(cut-text hotdesk-viewer-pure)
