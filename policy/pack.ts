/** The CrossGuard policy pack: what a stack must hold to before the engine deploys it. */
import { PolicyPack } from "@pulumi/policy";
import { policyOf } from "./engine.ts";
import { rules } from "./rules/index.ts";

new PolicyPack("transcript-pipeline", { policies: rules.map(policyOf), enforcementLevel: "mandatory" });
