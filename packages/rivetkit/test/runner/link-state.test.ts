import { expect, it } from "vitest";
import { adviceOn } from "../../src/backends/runner/link-state.ts";

it.each([
	["api.forbidden", /^: it does not take this token; check RIVET_TOKEN/],
	["guard.missing_header", /^: it wants a token; set RIVET_TOKEN/],
	["namespace.not_found", /^: it has no such namespace; check RIVET_NAMESPACE/],
	["ws.going_away", /^$/],
	["constructor", /^$/],
])("an engine that refuses with %s has the setting named", (reason, advice) => {
	expect(adviceOn(reason)).toMatch(advice);
});
