// What a branch's code asks the host for is no code of the branch.
import { expect, it } from "vitest";
import { actor } from "../../src/index.ts";
import { currentBranch } from "../../src/runtime/durable/current-branch.ts";
import { workflow } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { TestRuntime } from "../support/test-runtime.ts";

it("an actor that a branch has started runs in no branch, and keeps none", async () => {
	let inBranch: object | undefined;
	const seen: [string, object | undefined][] = [];
	const see = (where: string) => void seen.push([where, currentBranch()]);
	const other = actor({
		onWake: () => see("onWake"),
		run: async () => see("run"),
		actions: { ask: () => see("action") },
	});
	const starter = actor({
		run: workflow(async (ctx) => {
			await ctx.join("j", {
				a: {
					run: (b) =>
						b.step("ask", async () => {
							inBranch = currentBranch();
							await (b.client() as never as Client).other.getOrCreate(["one"]).ask();
						}),
				},
			});
		}),
	});
	await using runtime = await TestRuntime.start({ starter, other });
	await runtime.actorId("starter");
	await eventually(() => expect(seen).toHaveLength(3));
	expect(inBranch).toBeDefined();
	expect(Object.fromEntries(seen)).toEqual({
		onWake: undefined,
		run: undefined,
		action: undefined,
	});
});

interface Client {
	readonly other: { getOrCreate(key: string[]): { ask(): Promise<void> } };
}
