import { type Browser, chromium } from "playwright-core";

/** The views of the address bar: two processes for each context, which cost as much as a page that nobody sees. */
const UNUSED = ["WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup"];

/** What Playwright 1.65 turns off for pages and for what asks its maker's servers: of two such switches the last one counts. */
const ALSO_OFF = [
	"AimEnabled",
	"AvoidCorsURLLoaderRestartOnRedirect",
	"AvoidUnnecessaryBeforeUnloadCheckSync",
	"DestroyProfileOnBrowserClose",
	"HttpsFirstBalancedModeAutoEnable",
	"HttpsUpgrades",
	"LensOverlay",
	"MediaRouter",
	"NetworkTimeServiceQuerying",
	"OptimizationHints",
	"PaintHolding",
	"PreconnectToSearch",
	"ThirdPartyStoragePartitioning",
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
			`--disable-features=${[...UNUSED, ...ALSO_OFF]}`,
		],
	});
}
