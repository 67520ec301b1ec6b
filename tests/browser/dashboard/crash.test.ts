// What is seen of an actor whose server was killed: examples/shop, started again on the same data.

import type { TracesAnswer } from "@rivetkit/protocol/inspector/answers";
import { startBrowser } from "example-support/chromium";
import { exampleServer } from "example-support/server";
import type { Browser } from "playwright-core";
import { createClient } from "rivetkit/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { SHOP, type Shop } from "./shop.ts";
import { lead, openTab } from "./support.ts";

const server = exampleServer(SHOP);
let browser: Browser;

beforeAll(async () => {
	browser = await startBrowser();
});

afterAll(async () => {
	await browser?.close();
});

it("what a crash has cut off is said to have no end, and to be no short trace", async () => {
	const { url } = server;
	const { page, problems, strangers } = await openTab(browser, `${url}/ui/`);
	const main = page.getByRole("main");
	const order = createClient<Shop>(url).order.getOrCreate(["crashed"]);
	const actorId = await order.resolve();
	const inspector = `${url}/gateway/${actorId}/inspector`;
	/** How long after the run's beginning the last commit began. */
	let tries = 3;
	const commitAfterMs = async () => {
		// Another state each time: one that is the same is not committed.
		tries += 1;
		const body = JSON.stringify({ state: { status: "reserved", tries } });
		expect((await fetch(`${inspector}/state`, { method: "PATCH", body })).status).toBe(200);
		const { otlp } = (await (await fetch(`${inspector}/traces`)).json()) as TracesAnswer;
		const spans = otlp.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans[0]!.spans);
		const lastMs = (wanted: string) =>
			Math.max(
				...spans
					.filter(({ name }) => name === wanted)
					.map(({ startTimeUnixNano }) => Number(startTimeUnixNano) / 1e6),
			);
		return lastMs("actor.commit") - lastMs("actor.run");
	};
	await lead(page, url, `actor/${actorId}/traces`);
	const runs = main.locator(".disclosure", { hasText: "actor.run" });
	await runs.getByText("open", { exact: true }).waitFor();
	await page.goto("about:blank");
	// Once a second a commit takes spans along.
	await expect.poll(commitAfterMs).toBeGreaterThan(2_000);
	await server.stop("SIGKILL");
	await server.start();
	await lead(page, url, `actor/${actorId}/traces`);
	// The commits since then are above it, and a long list has only the rows in it that are seen.
	await page.getByLabel("Only traces with a span of this name").fill("actor.run");
	const run = runs.filter({ hasText: "cut off" });
	await run.getByText("end unknown").waitFor();
	expect(await run.getByText("ms").count()).toBe(0);
	await run.getByRole("button", { name: /^Open trace/ }).click();
	await run.getByRole("button", { name: /^actor\.run.*cut off/ }).click();
	await main.getByText("when it would have ended is not known").waitFor();
	expect([problems, strangers]).toEqual([[], []]);
});
