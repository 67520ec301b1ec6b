// How long, and how often, a server is asked for a stream that does not last.
import { expect, it } from "vitest";
import { CommandFailed } from "../../src/cli/failure.ts";
import { followActor, LOST_MS_MAX } from "../../src/cli/follow.ts";

const OPEN = "event: open\ndata: {}\n\n";
const ONE = 'id: 7\nevent: logs\ndata: "one"\n\n';
const END = 'event: end\ndata: {"group":"actor","code":"not_found","message":"gone"}\n\n';

/** A server that answers with one stream after the other; the last one again and again. */
function scene(streams: readonly (string | Error | (() => ReadableStream<Uint8Array>))[]) {
	let nowMs = 0;
	const pauses: number[] = [];
	const heard: string[] = [];
	const afters: (string | null)[] = [];
	const abort = new AbortController();
	const server = {
		async follow(_id: string, _topics: readonly string[], after: string | null) {
			const next = streams[Math.min(afters.length, streams.length - 1)]!;
			afters.push(after);
			if (next instanceof Error) throw next;
			return new Response(typeof next === "string" ? next : next()).body!;
		},
	};
	const following = {
		topics: ["logs"] as const,
		signal: abort.signal,
		onEvent: (topic: string) => void heard.push(topic),
		onLost: (why: string) => void heard.push(why),
		onBack: () => void heard.push("back"),
	};
	const pace = {
		nowMs: () => nowMs,
		async pause(ms: number) {
			pauses.push(ms);
			nowMs += ms;
		},
	};
	return {
		pauses,
		heard,
		afters,
		abort,
		pass: (ms: number) => {
			nowMs += ms;
		},
		follow: () => followActor(server, "a", following, pace),
	};
}

it("streams that the server ends at once are asked for less and less often, and not for ever", async () => {
	const { follow, heard, pauses, afters } = scene([OPEN + ONE, OPEN]);
	await expect(follow()).rejects.toThrow(
		"The server ends every stream soon after it began; it was tried for 1 min.",
	);
	expect(pauses.slice(0, 6)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 8_000]);
	expect(pauses.reduce((sum, ms) => sum + ms)).toBeGreaterThanOrEqual(LOST_MS_MAX);
	expect(pauses.length).toBeLessThan(15);
	expect(heard.slice(0, 5)).toEqual(["logs", "ended", "back", "ended", "back"]);
	expect(afters.slice(0, 3)).toEqual([null, "7", "7"]);
});

it("a server that never sends anything is one, too", async () => {
	const { follow, heard } = scene([""]);
	await expect(follow()).rejects.toMatchObject({ group: "stream", code: "lost" });
	expect(heard).toEqual(["ended"]);
});

it("one that went away is waited for, and told apart from one that is back", async () => {
	const away = new CommandFailed("The server does not answer.");
	const { follow, heard, afters } = scene([OPEN + ONE, away, away, OPEN + ONE + END]);
	expect(await follow()).toBe("it is destroyed");
	expect(heard).toEqual(["logs", "ended", "back", "logs"]);
	expect(afters).toEqual([null, "7", "7", "7"]);
	const gone = scene([OPEN, away]);
	await expect(gone.follow()).rejects.toBe(away);
	const never = scene([away]);
	await expect(never.follow()).rejects.toBe(away);
	expect(never.pauses).toEqual([]);
});

it("a stream that lasted begins the waiting anew", async () => {
	const long = () => {
		const parts = [new TextEncoder().encode(OPEN)];
		return new ReadableStream<Uint8Array>(
			{
				pull(controller) {
					const part = parts.pop();
					if (part) return controller.enqueue(part);
					pass(3_600_000);
					controller.close();
				},
			},
			{ highWaterMark: 0 },
		);
	};
	const { follow, pass, pauses } = scene([OPEN, OPEN, long, OPEN, END]);
	expect(await follow()).toBe("it is destroyed");
	expect(pauses).toEqual([500, 1_000, 500, 1_000]);
});

const failing = (group: string, code: string) =>
	`event: end\ndata: ${JSON.stringify({ group, code, message: "The store is away." })}\n\n`;

it("a stream that ends because the actor cannot be looked at just now is asked for again", async () => {
	const { follow, heard } = scene([OPEN + failing("rivetkit", "internal_error"), OPEN + ONE + END]);
	expect(await follow()).toBe("it is destroyed");
	expect(heard).toEqual(["ended", "back", "logs"]);
});

it("one that ends so for a minute fails with what the server said", async () => {
	const { follow } = scene([OPEN + failing("rivetkit", "internal_error")]);
	await expect(follow()).rejects.toMatchObject({
		message: "The store is away.",
		group: "rivetkit",
		code: "internal_error",
	});
});

it.each([
	["guard", "service_unavailable"],
	["rivetkit", "internal_error"],
])("a server that answers %s.%s is asked again once it had a stream", async (group, code) => {
	const busy = new CommandFailed("Later.", { group, code });
	const { follow, heard } = scene([OPEN, busy, OPEN + END]);
	expect(await follow()).toBe("it is destroyed");
	expect(heard).toEqual(["ended", "back"]);
	await expect(scene([busy]).follow()).rejects.toBe(busy);
});

it("what is refused is not asked for again", async () => {
	const refused = new CommandFailed("No.", { group: "inspector", code: "unauthorized" });
	const { follow, pauses } = scene([OPEN, refused]);
	await expect(follow()).rejects.toBe(refused);
	expect(pauses).toEqual([500]);
});
