// What all nodes have of runners, when some do not answer.
import { expect, it } from "vitest";
import { Cluster, type ClusterOptions } from "../../src/cluster/cluster.ts";
import { LinkLost } from "../../src/cluster/link-messages.ts";

it("a node that cannot be reached, answers with an error, or is older is left out, and the first two are logged", async () => {
	const answers: Record<number, () => Promise<unknown>> = {
		1: async () => ["a", "b"],
		2: () => Promise.reject(new Error("broken")),
		3: async () => null,
		4: async () => ["c"],
	};
	const logged: unknown[] = [];
	const waited: number[] = [];
	const cluster = new Cluster({
		links: {
			know: () => {},
			isOpen: () => false,
			to: async (epoch: number, waitMs: number) => {
				const answer = answers[epoch];
				if (answer === undefined) throw new LinkLost(epoch);
				return {
					call: (call: unknown, options: { waitMs: number }) => {
						expect(call).toEqual({
							do: "askRunners",
							question: { about: "pools", namespace: "lab" },
						});
						waited.push(waitMs + options.waitMs);
						return answer();
					},
				};
			},
		},
		logger: { warn: ({ node }: { node: number }) => logged.push(node) },
	} as unknown as ClusterOptions);
	const node = { name: "", address: "", version: "", names: [], actors: 0, isDraining: false };
	cluster.know([1, 2, 3, 4, 5].map((epoch) => ({ ...node, epoch })));
	const pools = await cluster.askRunners({ about: "pools", namespace: "lab" });
	expect(pools.sort()).toEqual(["a", "b", "c"]);
	expect(logged.sort()).toEqual([2, 5]);
	expect(Math.max(...waited)).toBeLessThanOrEqual(6_000);
});
