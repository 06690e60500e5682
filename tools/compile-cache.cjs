// Keeps what Node compiled for its next start, in the operating system's folder for temporary files: a preview
// reads the same few hundred modules every time. Required before the program, by Pulumi.yaml.
"use strict";

require("node:module").enableCompileCache?.();
