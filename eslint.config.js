import pulumi from "@pulumi/eslint-plugin";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

/**
 * A wall between two wings of the program: what files may not import, and why.
 *
 * @param files the wing
 * @param forbidden modules as written in its imports
 */
const wall = (files, forbidden, message) => ({
  files,
  rules: {
    "no-restricted-imports": ["error", { patterns: [{ group: forbidden, message }] }],
  },
});

/** The program, all of its wings. */
const program = [
  "**/components/**",
  "**/config/**",
  "**/cluster/**",
  "**/postgres/**",
  "**/config.ts",
  "**/program.ts",
  "**/wiring.ts",
  "**/live.ts",
];

export default defineConfig(
  { ignores: ["node_modules/", "rendered/"] },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    plugins: { "@pulumi": pulumi },
    rules: {
      "@pulumi/no-output-in-template-literal": "error",
      "@pulumi/no-output-instance-in-template-literal": "error",
      "no-restricted-syntax": [
        "error",
        ...[
          "CallExpression[callee.property.name='on'][arguments.0.value='data'] AssignmentExpression CallExpression[callee.property.name='toString'][arguments.length=0]",
          "CallExpression[callee.property.name='on'][arguments.0.value='data'] AssignmentExpression CallExpression[callee.name='String']",
        ].map((selector) => ({
          selector,
          message:
            'A chunk may end within a character: stream.setEncoding("utf8").on("data", (text: string) => …).',
        })),
      ],
    },
  },
  wall(
    ["components/**"],
    [
      "**/config/**",
      "**/config.ts",
      "**/cluster/**",
      "**/tools/**",
      "**/policy/**",
      "**/program.ts",
      "**/wiring.ts",
      "**/live.ts",
    ],
    "Components take arguments and give outputs: they know nothing of configuration, the live cluster or commands.",
  ),
  wall(
    ["postgres/**"],
    [
      "@pulumi/*",
      "**/components/**",
      "**/config/**",
      "**/config.ts",
      "**/cluster/**",
      "**/tools/**",
      "**/policy/**",
    ],
    "postgres/ is what is known of PostgreSQL 16, and nothing else.",
  ),
  wall(
    ["config/**", "config.ts"],
    ["**/components/**", "**/tools/**", "**/policy/**", "**/program.ts", "**/wiring.ts", "**/live.ts"],
    "The configuration is read before there are components.",
  ),
  wall(
    ["cluster/**"],
    ["**/tools/**", "**/policy/**"],
    "cluster/ serves the program and the commands alike.",
  ),
  wall(
    ["policy/**"],
    [...program, "**/tools/**", "**/sql/**"],
    "The pack shares quantities.ts with the program and no logic: a rule that calls the program repeats its mistakes.",
  ),
);
