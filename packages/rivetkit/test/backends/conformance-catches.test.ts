import { createMemoryStore } from "@rivetkit/engine";
import type { StorageBatch } from "@rivetkit/protocol";
import { type BackendUnderTest, testActorBackend } from "rivetkit/driver-test-suite";
import { expect, it } from "vitest";
import type { ActorBackend, Incarnation } from "../../src/backends/backend.ts";
import { embeddedSubject } from "./support/embedded-subject.ts";

/** Names of the suite's tests that fail, of those whose name contains `wanted`. */
async function failing(make: () => BackendUnderTest, wanted = ""): Promise<string[]> {
	const tests: { name: string; body: () => Promise<void> }[] = [];
	testActorBackend(
		{
			describe: (_name, body) => body(),
			it: (name, body) => tests.push({ name, body }),
			expect,
		},
		{ name: "faulty", outlivesCrashes: true, open: async () => make() },
	);
	const failed: string[] = [];
	for (const { name, body } of tests) {
		if (name.includes(wanted)) await body().catch(() => failed.push(name));
	}
	return failed;
}

type Fault = (backend: ActorBackend, subject: BackendUnderTest) => Partial<ActorBackend>;

/** The memory backend with some functions replaced; after a "crash" it is still there. */
function subject(fault: Fault = () => ({})): BackendUnderTest {
	const sound = embeddedSubject(createMemoryStore());
	const { backend } = sound;
	const whole: ActorBackend = {
		load: (actor, range) => backend.load(actor, range),
		get: (actor, keys) => backend.get(actor, keys),
		scan: (actor, range) => backend.scan(actor, range),
		commit: (actor, batch) => backend.commit(actor, batch),
		discard: (actor) => backend.discard(actor),
	};
	const faulty: BackendUnderTest = {
		...sound,
		backend: { ...whole, ...fault(whole, sound) },
		reopen: async () => faulty,
	};
	return faulty;
}

const newestOf = async (sound: BackendUnderTest, actor: Incarnation): Promise<Incarnation> => {
	for (let generation = actor.generation; ; generation++) {
		const newest = { ...actor, generation };
		const isNewest = await sound.backend.commit(newest, { ops: [] }).then(
			() => true,
			() => false,
		);
		if (isNewest || generation > actor.generation + 50) return newest;
	}
};

const FAULTS: Readonly<Record<string, { fault: Fault; caughtBy: string }>> = {
	"accepts older incarnations": {
		fault: (backend, sound) => ({
			commit: async (actor, batch) => backend.commit(await newestOf(sound, actor), batch),
		}),
		caughtBy: "B1: an older incarnation is refused",
	},
	"refuses with an error of another class": {
		fault: (backend) => ({
			commit: (actor, batch) =>
				backend.commit(actor, batch).catch(() => Promise.reject(new Error("conflict"))),
		}),
		caughtBy: "B1: an older incarnation is refused",
	},
	"writes part of what it refuses": {
		fault: (backend, sound) => ({
			commit: (actor, batch) =>
				backend.commit(actor, batch).catch(async (error) => {
					await backend.commit(await newestOf(sound, actor), { ops: batch.ops });
					throw error;
				}),
		}),
		caughtBy: "B1: an older incarnation is refused",
	},
	"resolves before it has written": {
		fault: (backend) => ({
			commit: async (actor, batch) => {
				const copy = structuredClone(batch);
				setTimeout(() => void backend.commit(actor, copy).catch(() => {}), 5);
			},
		}),
		caughtBy: "what a commit wrote is read as soon as it resolves",
	},
	"applies later commits first": {
		fault: (backend) => {
			let calledCount = 0;
			return {
				commit: async (actor, batch) => {
					const delayMs = Math.max(0, 100 - calledCount++);
					await new Promise((resolve) => setTimeout(resolve, delayMs));
					return backend.commit(actor, batch);
				},
			};
		},
		caughtBy: "B2: commits that were called without waiting",
	},
	"reads a little later than it is asked to": {
		fault: (backend) => ({
			get: async (actor, keys) => {
				await new Promise((resolve) => setTimeout(resolve, 5));
				return backend.get(actor, keys);
			},
		}),
		caughtBy: "B3: a read sees the commits that were called before it",
	},
	"lists what is stored without waiting for commits": {
		fault: (backend) => {
			let committed: Promise<unknown> = Promise.resolve();
			return {
				commit: (actor, batch) => {
					const done = committed.then(() => backend.commit(actor, batch));
					committed = done.catch(() => {});
					return done;
				},
			};
		},
		caughtBy: "B3: a read sees the commits that were called before it",
	},
	"applies the operations of a batch in two": {
		fault: (backend) => ({
			commit: async (actor, { ops, ...rest }: StorageBatch) => {
				const puts = ops.filter(({ op }) => op === "put");
				const others = ops.filter(({ op }) => op !== "put");
				await backend.commit(actor, { ops: [...puts, ...others], ...rest });
			},
		}),
		caughtBy: "operations of a batch apply in order",
	},
	"scans to the end of a range and not to before it": {
		fault: (backend) => ({
			scan: async (actor, range) => {
				const { end } = range;
				return backend.scan(
					actor,
					end === null ? range : { ...range, end: Uint8Array.of(...end, 0) },
				);
			},
		}),
		caughtBy: "a scan is in byte order",
	},
	"hands out one copy of its bytes": {
		fault: (backend) => {
			const shared = new Map<string, Uint8Array | null>();
			return {
				get: async (actor, keys) => {
					const values = await backend.get(actor, keys);
					return values.map((value, index) => {
						const name = `${actor.actorId} ${keys[index]!.join()}`;
						if (!shared.has(name)) shared.set(name, value);
						return shared.get(name)!;
					});
				},
				scan: async (actor, range) => {
					const entries = await backend.scan(actor, range);
					return entries.map(([key, value]) => [
						key,
						shared.get(`${actor.actorId} ${key.join()}`) ?? value,
					]);
				},
			};
		},
		caughtBy: "bytes are the caller's again",
	},
	"forgets alarms": {
		fault: (backend) => ({
			commit: (actor, { alarmTs: _alarm, ...batch }) => backend.commit(actor, batch),
		}),
		caughtBy: "the alarm is set, left alone and cleared",
	},
	"destroys nothing": {
		fault: (backend) => ({
			commit: (actor, { destroyTs: _destroyed, ...batch }) => backend.commit(actor, batch),
		}),
		caughtBy: "a destroyed actor leaves nothing",
	},
	"discards what exists for good": {
		fault: (backend) => ({
			discard: (actor) => backend.commit(actor, { ops: [], destroyTs: 1 }),
		}),
		caughtBy: "one that was initialised, or has a newer incarnation",
	},
	"loads what was never initialised": {
		fault: (backend) => ({ load: (actor, range) => backend.scan(actor, range) }),
		caughtBy: "a new actor holds nothing",
	},
};

it("a sound backend passes", async () => {
	expect(await failing(subject)).toEqual([]);
});

it.each(Object.entries(FAULTS))("a backend that %s fails", async (_what, { fault, caughtBy }) => {
	const failed = await failing(() => subject(fault), caughtBy);
	expect(failed).toEqual([expect.stringContaining(caughtBy)]);
});
