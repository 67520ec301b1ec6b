// Stands for the script behind `npm start`, once everything is built.
import { runToEnd } from "../../../scripts/lib/run-to-end.ts";

console.log(`script ${process.pid}`);
runToEnd("started-server.ts", { cwd: import.meta.dirname });
