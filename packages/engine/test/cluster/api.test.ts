// The management API of two nodes that are asked in turns says what that of one engine says (no. 75), but where it would
// only check the same input again.
import "./support/on-two-nodes.ts";
import "../api/engine-api.test.ts";
import "../api/engine-addresses.test.ts";
import "../api/engine-actors.test.ts";
import "../api/engine-runners.test.ts";
