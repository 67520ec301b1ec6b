import { createClient } from "rivetkit/client";
import type { registry } from "./registry.ts";
import { apply, type Delta, type Direction, HEIGHT, WIDTH, type World } from "./world.ts";

const KEYS: Record<string, Direction> = {
	ArrowUp: "up",
	ArrowDown: "down",
	ArrowLeft: "left",
	ArrowRight: "right",
	" ": "stay",
};
const SCORES_SHOWN = 5;
/** How much of the way to its square a figure goes in one frame. */
const GLIDE = 0.25;

const query = new URLSearchParams(location.search);
const name = query.get("name") ?? `Guest ${Math.floor(Math.random() * 100)}`;
const element = (id: string) => document.getElementById(id) as HTMLElement;
const canvas = element("arena") as HTMLCanvasElement;
const scene = canvas.getContext("2d") as CanvasRenderingContext2D;

let world: World | null = null;
let me = "";
/** Deltas that came before the snapshot they belong to. */
let early: Delta[] = [];
const shown = new Map<string, { x: number; y: number }>();

// The endpoint is this page's origin and /api/rivet, the client's default in a browser.
const client = createClient<typeof registry>();
const connection = client.arena
	.getOrCreate([query.get("arena") ?? "main"], { params: { name } })
	.connect();

connection.on("delta", (delta) => {
	if (!world) early.push(delta);
	else if (!apply(world, delta)) look();
	element("tick").textContent = `tick ${delta.tick}`;
	if (delta.scores.length > 0) showScores();
});
connection.onOpen(look);
connection.onResync(look);
connection.onError(showError);
connection.onStatusChange((status) => {
	element("status").textContent = status;
	element("status").dataset.status = status;
});

/** Begins anew with a whole world; after that, what changes comes by itself. */
async function look(): Promise<void> {
	world = null;
	early = [];
	const seen = await connection.snapshot().catch(showError);
	if (!seen) return;
	me = seen.me;
	world = seen.world;
	for (const delta of early) apply(world, delta);
	showScores();
}

function steer(direction: Direction): void {
	connection.steer(direction).catch(showError);
}

addEventListener("keydown", (event) => {
	const direction = KEYS[event.key];
	if (!direction || event.repeat) return;
	event.preventDefault();
	steer(direction);
});
for (const button of document.querySelectorAll("button")) {
	button.addEventListener("click", () => steer(button.dataset.direction as Direction));
}

function draw(): void {
	requestAnimationFrame(draw);
	const pixels = canvas.clientWidth * devicePixelRatio;
	if (canvas.width !== pixels) {
		canvas.width = pixels;
		canvas.height = (pixels * HEIGHT) / WIDTH;
	}
	const square = canvas.width / WIDTH;
	scene.clearRect(0, 0, canvas.width, canvas.height);
	if (!world) return;
	for (const { x, y } of Object.values(world.gems)) {
		scene.save();
		scene.translate((x + 0.5) * square, (y + 0.5) * square);
		scene.rotate(Math.PI / 4);
		scene.fillStyle = "#0ea5a4";
		scene.fillRect(-square * 0.24, -square * 0.24, square * 0.48, square * 0.48);
		scene.restore();
	}
	const ink = getComputedStyle(canvas).color;
	for (const id of shown.keys()) if (!(id in world.players)) shown.delete(id);
	for (const player of Object.values(world.players)) {
		const at = shown.get(player.id) ?? { x: player.x, y: player.y };
		at.x += (player.x - at.x) * GLIDE;
		at.y += (player.y - at.y) * GLIDE;
		shown.set(player.id, at);
		const [x, y] = [(at.x + 0.5) * square, (at.y + 0.5) * square];
		scene.beginPath();
		scene.arc(x, y, square * 0.42, 0, 2 * Math.PI);
		scene.fillStyle = color(player.name);
		scene.fill();
		scene.fillStyle = ink;
		scene.font = `${player.id === me ? "bold " : ""}${square * 0.6}px system-ui, sans-serif`;
		scene.textAlign = "center";
		scene.fillText(player.name, x, y + (at.y < 1 ? square : -square * 0.55));
	}
}

function showScores(): void {
	const scores = Object.entries(world?.scores ?? {}).sort(([, a], [, b]) => b - a);
	element("scores").replaceChildren(
		...scores.slice(0, SCORES_SHOWN).map(([name, score]) => {
			const line = document.createElement("li");
			line.textContent = `${name}: ${score}`;
			return line;
		}),
	);
}

function showError(error: Error): void {
	element("error").textContent = error.message;
}

function color(name: string): string {
	const hue = [...name].reduce((sum, letter) => (sum * 33 + letter.charCodeAt(0)) % 360, 0);
	return `oklch(62% 0.17 ${hue})`;
}

draw();
