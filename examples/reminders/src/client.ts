import { createClient } from "rivetkit/client";
import type { Reminder, registry } from "./registry.ts";

const client = createClient<typeof registry>(
	`http://127.0.0.1:${process.env.MANAGER_PORT ?? 6420}`,
);
const [command, text = "", seconds = "0"] = process.argv.slice(2);
const timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const reminders = client.reminders.getOrCreate(["me"], { createWithInput: { timeZone } });
const at = Date.now() + Number(seconds) * 1_000;

switch (command) {
	case "add": {
		await reminders.remind(text, at);
		console.log(`"${text}" comes in ${seconds} s`);
		break;
	}
	case "wait": {
		const connection = reminders.connect();
		const next = new Promise<Reminder>((resolve) => connection.once("reminder", resolve));
		await connection.remind(text, at);
		console.log(`now: ${(await next).text}`);
		break;
	}
	case "list": {
		const { upcoming, done } = await reminders.list();
		for (const reminder of upcoming) console.log(`upcoming: ${reminder.text}`);
		for (const reminder of done) console.log(`done: ${reminder.text}`);
		break;
	}
	default:
		console.error("usage: node src/client.ts add <text> <seconds> | wait <text> <seconds> | list");
		process.exitCode = 2;
}
await client.dispose();
