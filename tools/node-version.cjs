// Loaded first, in JavaScript that any Node can read: a Node that cannot strip types would otherwise stop at the first
// .ts file with "Unknown file extension".
"use strict";

const wanted = [22, 18];
const found = process.versions.node.split(".").map(Number);
if (found[0] < wanted[0] || (found[0] === wanted[0] && found[1] < wanted[1])) {
  console.error(
    "Node " +
      process.versions.node +
      " is too old: " +
      wanted.join(".") +
      " or newer is required. `npm ci` puts one into node_modules/.bin, which `npm run` uses; for `pulumi` itself: " +
      'PATH="$PWD/node_modules/.bin:$PATH" pulumi up',
  );
  process.exit(1);
}
