// A process that has a query without an end run apart, to be killed. Prints a line when it has begun.
import { QueryProcesses } from "../../src/sqlite/apart/query-processes.ts";
import { endless } from "./support/endless.ts";

const path = process.argv[2]!;
const querying = new QueryProcesses().run(endless(path), new AbortController().signal);
console.log("asked");
await querying;
