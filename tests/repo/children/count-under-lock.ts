// Counts in a file, in several sections under one lock; the last one ends the process in its middle, if told to.
import { appendFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { withLock } from "../../../scripts/lib/lock.ts";

const [, , lock, log, sections, how] = process.argv;
for (let left = Number(sections); left > 0; left--) {
	await withLock(lock!, async () => {
		appendFileSync(log!, `in ${process.pid}\n`);
		// The others have time to come in, if they can.
		await delay(30);
		if (how === "dies" && left === 1) process.kill(process.pid, "SIGKILL");
		appendFileSync(log!, `out ${process.pid}\n`);
	});
}
