import { createClient } from "rivetkit/client";
import type { registry } from "./actors.ts";

const client = createClient<typeof registry>(`http://127.0.0.1:${process.env.PORT ?? 6420}`);
const worker = client.worker.getOrCreate(["main"]);

// Returns when the job is on disk.
await worker.send("jobs", { text: "to be done some time" });

// Returns when it is done.
const answer = await worker.send("jobs", { text: "done before this goes on" }, { wait: true });
console.log("the job:", answer);
console.log("all jobs:", await worker.totals());

await client.dispose();
