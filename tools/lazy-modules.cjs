// Leaves out of the program's start what only a serialized function needs, a dynamic provider's for one: the SDK loads a
// TypeScript compiler and a package manager for it, in 0.3 s of every preview. They are loaded where they are first used.
// Required before the program, by Pulumi.yaml.
"use strict";

const { createRequire } = require("node:module");
const Module = require("node:module");

/** Puts something in a module's place that loads the module itself when it is used. */
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

/** Everything of a module, looked up in it when it is asked for. */
const everything = (real) =>
  new Proxy(
    {},
    {
      get: (_, name) => (name === "__esModule" ? undefined : real()[name]),
      has: (_, name) => name in real(),
    },
  );

lazy("typescript", everything);
// The SDK copies this one's exports, of which it uses a class.
lazy("@npmcli/arborist", (real) => ({
  Arborist: new Proxy(class {}, {
    construct: (_, args) => Reflect.construct(real().Arborist, args),
    get: (_, name) => real().Arborist[name],
  }),
}));
