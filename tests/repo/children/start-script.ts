// Stands for the script behind `npm start`, once everything is built.
import { fileURLToPath } from "node:url";
import { runToEnd } from "../../../scripts/lib/run-to-end.ts";

console.log(`script ${process.pid}`);
runToEnd(fileURLToPath(new URL("started-server.ts", import.meta.url)), {
	cwd: import.meta.dirname,
});
