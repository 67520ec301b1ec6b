import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { UserError } from "../../src/errors/index.ts";
import { eventually } from "../support/eventually.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";

describe("W-STATE-8 rollbackOnError", () => {
	function account(rollbackOnError: boolean) {
		const gate = new Gate();
		const subject = actor({
			state: { balance: 10, log: [] as string[], others: { touched: 0 } },
			options: { rollbackOnError },
			actions: {
				fail: (c) => {
					c.state.balance -= 5;
					c.state.log.push("fail");
					throw new UserError("no");
				},
				failLater: async (c) => {
					const { state } = c;
					state.balance -= 5;
					await gate.passed;
					state.log.push("failLater");
					throw new UserError("no");
				},
				succeed: (c) => {
					c.state.others.touched++;
					return c.state.balance;
				},
				state: (c) => c.state,
			},
		});
		return { subject, gate };
	}
	const initial = { balance: 10, log: [], others: { touched: 0 } };

	it("is off by default: what a failing action wrote before the error stays", async () => {
		await using runtime = await TestRuntime.start({ account: account(false).subject });
		const id = await runtime.actorId("account");
		expect(codeOf(await wireAction(runtime, id, "fail"))).toBe("user.user_error");
		expect((await wireAction(runtime, id, "state")).output).toMatchObject({
			balance: 5,
			log: ["fail"],
		});
	});

	it("takes back what a failing action wrote, and nothing is stored of it", async () => {
		const wrapped = new WrappedStore();
		const use = { account: account(true).subject };
		await using runtime = await TestRuntime.start(use, { store: wrapped.store });
		const id = await runtime.actorId("account");
		const before = wrapped.commits.length;
		expect(codeOf(await wireAction(runtime, id, "fail"))).toBe("user.user_error");
		expect((await wireAction(runtime, id, "state")).output).toEqual(initial);
		expect(wrapped.commits).toHaveLength(before);
	});

	it("leaves alone what other calls changed in between", async () => {
		const { subject, gate } = account(true);
		await using runtime = await TestRuntime.start({ account: subject });
		const id = await runtime.actorId("account");
		const failing = wireAction(runtime, id, "failLater");
		await eventually(async () => expect((await wireAction(runtime, id, "succeed")).output).toBe(5));
		const before = (await wireAction(runtime, id, "state")).output as typeof initial;
		gate.open();
		expect(codeOf(await soon(failing))).toBe("user.user_error");
		expect((await wireAction(runtime, id, "state")).output).toEqual({ ...before, balance: 10 });
	});

	it("keeps a change that somebody else has overwritten since", async () => {
		const gate = new Gate();
		const subject = actor({
			state: { shared: "initial", kept: "initial" } as Record<string, string>,
			options: { rollbackOnError: true },
			actions: {
				failLater: async (c) => {
					c.state.shared = "mine";
					c.state.added = "mine";
					await gate.passed;
					throw new UserError("no");
				},
				overwrite: (c) => {
					c.state.shared = "theirs";
				},
				state: (c) => c.state,
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const failing = wireAction(runtime, id, "failLater");
		await eventually(async () => {
			expect((await wireAction(runtime, id, "state")).output).toMatchObject({ shared: "mine" });
		});
		await wireAction(runtime, id, "overwrite");
		gate.open();
		await soon(failing);
		const state = (await wireAction(runtime, id, "state")).output;
		expect(state).toEqual({ shared: "theirs", kept: "initial" });
	});

	it("does not bring back what a commit that failed meanwhile had written", async () => {
		const wrapped = new WrappedStore();
		const begun = new Gate();
		const gate = new Gate();
		const subject = actor({
			state: { lost: 0, early: 0, late: 0, other: 0 },
			options: { rollbackOnError: true },
			actions: {
				lose: (c) => void c.state.lost++,
				failLater: async (c) => {
					c.state.early++;
					begun.open();
					await gate.passed;
					c.state.late++;
					throw new UserError("no");
				},
				other: (c) => void c.state.other++,
				state: (c) => c.state,
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		const id = await runtime.actorId("subject");
		const letGo = wrapped.hold();
		wrapped.failNext();
		const commits = wrapped.commits.length;
		const lost = wireAction(runtime, id, "lose");
		await eventually(() => expect(wrapped.commits.length).toBe(commits + 1));
		const failing = wireAction(runtime, id, "failLater");
		await soon(begun.passed);
		letGo();
		expect(codeOf(await soon(lost))).toBe("rivetkit.internal_error");
		gate.open();
		expect(codeOf(await soon(failing))).toBe("user.user_error");
		const { output } = await wireAction(runtime, id, "state");
		expect(output).toEqual({ lost: 0, early: 0, late: 0, other: 0 });
		await wireAction(runtime, id, "other");
		expect(await wrapped.stateOf(id)).toEqual({ lost: 0, early: 0, late: 0, other: 1 });
	});
});
