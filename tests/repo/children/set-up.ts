// Stands for the set-up script, once everything is installed.
import { fileURLToPath } from "node:url";
import { run } from "../../../scripts/ensure-installed.mjs";

console.log(`set-up ${process.pid}`);
run(["node", fileURLToPath(new URL("start-script.ts", import.meta.url))]);
