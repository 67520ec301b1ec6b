import { type Browser, chromium } from "playwright-core";

/**
 * Features of a window that no page sees, above all the views of its address bar: two processes for each context, which cost
 * as much as a page. Of two such switches the last one counts, so what Playwright turns off and could matter here is among them.
 */
const UNUSED = [
	"WebUIOmniboxPopup",
	"WebUIOmniboxAimPopup",
	"WebUIOmniboxFullPopup",
	"DestroyProfileOnBrowserClose",
	"HttpsUpgrades",
	"PaintHolding",
];

/** A headless Chromium: the one of `CHROMIUM`, or Debian's. */
export function startBrowser(): Promise<Browser> {
	return chromium.launch({
		timeout: 120_000,
		executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
		args: [
			"--no-sandbox",
			"--disable-gpu",
			"--disable-quic",
			"--no-first-run",
			"--disable-background-networking",
			"--disable-component-update",
			"--disable-sync",
			`--disable-features=${UNUSED}`,
		],
	});
}
