// The engine loads a pack through ts-node, which cannot take ESM TypeScript. From here on Node strips the types itself.
module.exports = import("./pack.ts");
