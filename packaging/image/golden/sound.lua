-- How loud a desktop is until its user changes that: 80 % (cubic), as the viewer's own machine has a volume too.
device_defaults.properties["default-volume"] = 0.8 ^ 3
