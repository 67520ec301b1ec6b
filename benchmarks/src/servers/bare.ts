// Baseline (a): node:http and ws, nothing durable.

import { startBaseline } from "./baseline.ts";
import { announce } from "./child.ts";

announce(await startBaseline((_counter, release) => release()));
