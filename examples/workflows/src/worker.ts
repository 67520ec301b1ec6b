import { createClient } from "rivetkit/client";
import { registry } from "./worker-actors.ts";

const { url } = await registry.listen();
const client = createClient<typeof registry>(url);
const worker = client.worker.getOrCreate([process.env.WORKER ?? "main"]);

const texts = ["to be or not to be", "that is the question", "whether 'tis nobler in the mind"];
const answers = await Promise.all(
	texts.map((text) => worker.send("tasks", { text }, { wait: true, timeout: 10_000 })),
);
for (const [index, { response }] of answers.entries())
	console.log(`${response} words: ${texts[index]}`);
const { done, words } = await worker.get();
console.log(`${words} words in ${done} tasks, over all runs of this program`);
await client.dispose();
await registry.shutdown();
