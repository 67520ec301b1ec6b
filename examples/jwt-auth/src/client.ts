import { ActorError, createClient } from "rivetkit/client";
import type { registry } from "./registry.ts";

const client = createClient<typeof registry>(
	`http://127.0.0.1:${process.env.MANAGER_PORT ?? 6420}`,
);
const [token = "", command, text = ""] = process.argv.slice(2);
const project = client.project.getOrCreate(["apollo"], { params: { token } });

try {
	if (command === "add") await project.add(text);
	if (command === "clear") await project.clear();
	const notes = await project.list();
	console.log(notes.map(({ by, text }) => `${by}: ${text}`).join("\n") || "no notes");
} catch (error) {
	if (!(error instanceof ActorError)) throw error;
	console.log(`${error.code}: ${error.message}`);
	process.exitCode = 1;
}
await client.dispose();
