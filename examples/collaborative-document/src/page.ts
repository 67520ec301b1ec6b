import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { minimalSetup } from "codemirror";
import { createClient } from "rivetkit/client";
import { yCollab } from "y-codemirror.next";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import type { registry } from "./registry.ts";

const COLORS = ["#b5306a", "#2f6fd0", "#1a7f37", "#9a5b00", "#6b46c1"];

const query = new URLSearchParams(location.search);
const name = query.get("name") ?? "Guest";
const element = (id: string) => document.getElementById(id) as HTMLElement;

// The endpoint is this page's origin and /api/rivet, the client's default in a browser.
const client = createClient<typeof registry>();
const actorUrl = await client.document.getOrCreate([query.get("doc") ?? "draft"]).getGatewayUrl();

// The actor speaks the protocol of y-websocket, so its own provider does the rest: it reconnects, and brings what was written meanwhile.
const doc = new Y.Doc();
const provider = new WebsocketProvider(actorUrl.replace(/^http/, "ws"), "websocket", doc);
const { awareness } = provider;
const color = COLORS[awareness.clientID % COLORS.length] ?? "";
awareness.setLocalStateField("user", { name, color, colorLight: `${color}33` });

awareness.on("change", () => {
	const names = [...awareness.getStates().values()].map((state) => state.user?.name as string);
	element("people").textContent = names.filter(Boolean).sort().join(", ");
});
provider.on("status", ({ status }) => {
	element("status").textContent = status;
	element("status").dataset.status = status;
});

const text = doc.getText("text");
new EditorView({
	parent: element("editor"),
	state: EditorState.create({
		doc: text.toString(),
		extensions: [
			minimalSetup,
			EditorView.lineWrapping,
			EditorView.contentAttributes.of({ "aria-label": "Document" }),
			yCollab(text, awareness, { undoManager: new Y.UndoManager(text) }),
		],
	}),
});
