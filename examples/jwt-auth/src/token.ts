import { issueToken, ROLES, type Role } from "./tokens.ts";

const [user = "", role, seconds = "3600"] = process.argv.slice(2);
if (!ROLES.includes(role as Role)) {
	console.error(`usage: node src/token.ts <user> ${ROLES.join("|")} [seconds]`);
	process.exit(2);
}
const expiresAt = Date.now() + Number(seconds) * 1_000;
console.log(await issueToken({ user, role: role as Role, project: "apollo", expiresAt }));
