// Who looks at an actor of another node, over a link that does what a test says.
import type { ActorRequest, ActorUpgrade, PlainSocket } from "@rivetkit/protocol";
import { expect, it } from "vitest";
import { type LinkCall, LinkLost, type SocketNews } from "../../src/cluster/link-messages.ts";
import type { NodeLink } from "../../src/cluster/node-link.ts";
import { RemoteNode } from "../../src/cluster/remote-node.ts";
import { engineLimits } from "../../src/common/limits.ts";
import { TestClock } from "../helpers/test-clock.ts";

const UPGRADE = {
	path: "/inspector/connect",
	headers: new Headers(),
	protocols: [],
} as unknown as ActorUpgrade;

function remote(answer: (call: LinkCall) => Promise<unknown> = async () => null) {
	const clock = new TestClock();
	const news: SocketNews[] = [];
	const link = {
		call: answer,
		news: (_key: number, told: SocketNews) => void news.push(told),
	} as unknown as NodeLink;
	return { clock, news, node: new RemoteNode({ link, clock, limits: engineLimits() }) };
}

/** A client that is as far behind as a test says. */
class Client implements PlainSocket {
	bufferedBytes = 0;
	closes: number[] = [];
	#closed: ((code: number, reason: string, wasClean: boolean) => void) | undefined;

	send(): void {}

	close(code: number): void {
		this.closes.push(code);
	}

	listen({ onClose }: Parameters<PlainSocket["listen"]>[0]): void {
		this.#closed = onClose;
	}

	leave(): void {
		this.#closed?.(1000, "", true);
	}
}

async function inspected() {
	const t = remote();
	const client = new Client();
	await t.node.openInspector("a", UPGRADE, client);
	t.node.deed(1, { do: "listen" });
	return { ...t, client };
}

it("who looks at an actor is told how far its client is behind until it has caught up, sent to or not", async () => {
	const { clock, news, node, client } = await inspected();
	node.deed(1, { do: "send", message: "little" });
	expect(news).toEqual([]);
	client.bufferedBytes = 2_000_000;
	node.deed(1, { do: "send", message: "much" });
	client.bufferedBytes = 1_500_000;
	clock.advance(50);
	client.bufferedBytes = 0;
	clock.advance(50);
	expect(news).toEqual([{ buffered: 2_000_000 }, { buffered: 1_500_000 }, { buffered: 0 }]);
	expect(clock.pendingCount).toBe(0);
});

it.each<[string, (t: Awaited<ReturnType<typeof inspected>>) => void]>([
	["its client leaves", ({ client }) => client.leave()],
	["it is closed over there", ({ node }) => node.deed(1, { do: "close", code: 1000, reason: "" })],
	["the link is lost", ({ node }) => node.close()],
])("nothing is told any more when %s", async (_, end) => {
	const t = await inspected();
	t.client.bufferedBytes = 2_000_000;
	t.node.deed(1, { do: "send", message: "much" });
	expect(t.clock.pendingCount).toBe(1);
	end(t);
	expect(t.clock.pendingCount).toBe(0);
});

it("a link that is lost while an actor is looked at is a service that cannot be reached", async () => {
	const { node, news } = remote(() => Promise.reject(new LinkLost(1)));
	const request = {
		method: "GET",
		path: "/inspector/state",
		headers: new Headers(),
		signal: new AbortController().signal,
		body: { bytes: async () => new Uint8Array() },
	} as unknown as ActorRequest;
	const unavailable = { group: "guard", code: "service_unavailable", statusCode: 503 };
	await expect(node.look("a", request)).rejects.toMatchObject(unavailable);
	await expect(node.openInspector("a", UPGRADE, new Client())).rejects.toMatchObject(unavailable);
	// Who takes it over there all the same finds it closed.
	expect(news).toEqual([{ closed: [1006, "", false] }]);
});
