import { createClient } from "rivetkit/client";
import type { Overview, registry } from "./actors.ts";

const tenant = new URLSearchParams(location.search).get("tenant") ?? "acme";
const element = (id: string) => document.getElementById(id) as HTMLElement;
const name = element("name") as HTMLInputElement;
element("tenant").textContent = `Customers of ${tenant}`;

// The endpoint is this page's origin and /api/rivet, the client's default in a browser.
const client = createClient<typeof registry>();
const database = client.tenant.getOrCreate([tenant]).connect();
database.onOpen(show);
database.onError(showError);
database.on("changed", show);

element("form").addEventListener("submit", (event) => {
	event.preventDefault();
	const added = name.value;
	name.value = "";
	attempt(database.addCustomer(added));
});

async function show(): Promise<void> {
	const [overview, revenue] = await Promise.all([database.overview(), database.revenue()]);
	element("customers").replaceChildren(...overview.map(row));
	element("revenue").textContent = money(revenue);
}

function row({ id, name, orders, cents }: Overview): HTMLElement {
	const line = document.createElement("tr");
	const order = document.createElement("button");
	order.textContent = "Order";
	order.addEventListener("click", () => {
		attempt(database.addOrders(id, [{ item: "Widget", cents: 1_250 }]));
	});
	line.append(cell(name), cell(`${orders}`, "number"), cell(money(cents), "number"), cell(order));
	return line;
}

function cell(content: string | HTMLElement, className = ""): HTMLElement {
	const made = document.createElement("td");
	made.className = className;
	made.append(content);
	return made;
}

function money(cents: number): string {
	return (cents / 100).toFixed(2);
}

function attempt(done: Promise<unknown>): void {
	element("error").textContent = "";
	done.catch(showError);
}

function showError(error: Error): void {
	element("error").textContent = error.message;
}
