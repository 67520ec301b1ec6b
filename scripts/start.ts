// `npm start`: builds what is stale and runs the example app on the embedded engine.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { buildPackages } from "./build.ts";
import { readManifest, repoRoot } from "./lib/workspaces.ts";

await buildPackages({});

const example = join(repoRoot, "examples", "hello-world");
const command = readManifest(example).scripts?.start;
if (command === undefined) throw new Error("examples/hello-world/package.json has no start script");

const app = spawn(command, { cwd: example, stdio: "inherit", shell: true });
// The terminal signals the app as well; leave when it has shut down in its own way.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => app.kill("SIGTERM"));
app.on("exit", (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
