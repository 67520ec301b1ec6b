import { parseSubprotocols } from "@rivetkit/protocol";
import * as server from "rivetkit/inspector";
import * as client from "rivetkit/inspector/client";
import { describe, expect, it } from "vitest";

describe("rivetkit/inspector and rivetkit/inspector/client", () => {
	it("understand each other in every version (protocol 7.3, 8.8)", () => {
		for (const version of [1, 2, 3, 4, 5, 6] as const) {
			const request = client.encodeInspectorToServer(version, {
				tag: "ActionRequest",
				val: { id: 7, name: "add", args: client.encodeCbor([1]) },
			});
			const { version: spoken, message } = server.decodeInspectorToServer(request);
			expect(spoken).toBe(version);
			if (message.tag !== "ActionRequest") throw new Error(`got ${message.tag}`);
			expect([message.val.name, server.decodeCbor(message.val.args)]).toEqual(["add", [1]]);
			const answer = server.encodeInspectorToClient(spoken, {
				tag: "Error",
				val: { message: "no such action" },
			});
			expect(client.decodeInspectorToClient(answer)).toEqual({
				version,
				message: { tag: "Error", val: { message: "no such action" } },
			});
		}
	});

	it("a client offers its token as a sub-protocol behind rivet", () => {
		const offered = client.inspectorSubprotocols("t0k_en");
		expect(offered[0]).toBe("rivet");
		expect(parseSubprotocols(offered)).toMatchObject({ inspectorToken: "t0k_en", error: null });
		expect(() => client.inspectorSubprotocols("not legal")).toThrow(TypeError);
	});
});
