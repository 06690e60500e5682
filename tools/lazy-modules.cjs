// Defers what only serialized functions need, such as a dynamic provider's: the SDK loads a TypeScript compiler and a
// package manager for them, which takes 0.3 s of every preview. They load on first use. Required before the program, by
// Pulumi.yaml.
"use strict";

const { createRequire } = require("node:module");
const Module = require("node:module");

/** Replaces a module with a placeholder that loads it on first use. */
function lazy(request, standIn) {
  let sdk;
  let path;
  try {
    // As the SDK finds it.
    sdk = createRequire(require.resolve("@pulumi/pulumi"));
    path = sdk.resolve(request);
  } catch {
    return;
  }
  const placeholder = new Module(path);
  placeholder.filename = path;
  placeholder.loaded = true;
  placeholder.exports = standIn(() => {
    if (require.cache[path] === placeholder) delete require.cache[path];
    return sdk(request);
  });
  require.cache[path] = placeholder;
}

/** All exports of a module, looked up when they are used. */
const everything = (real) =>
  new Proxy(
    {},
    {
      get: (_, name) => (name === "__esModule" ? undefined : real()[name]),
      has: (_, name) => name in real(),
    },
  );

lazy("typescript", everything);
// The SDK copies this one's exports, and uses one class of them.
lazy("@npmcli/arborist", (real) => ({
  Arborist: new Proxy(class {}, {
    construct: (_, args) => Reflect.construct(real().Arborist, args),
    get: (_, name) => real().Arborist[name],
  }),
}));
