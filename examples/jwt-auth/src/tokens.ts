import { decodeJwt, errors, jwtVerify, SignJWT } from "jose";
import { UserError } from "rivetkit";

const ISSUER = "https://login.example";
const AUDIENCE = "projects";
const SECRET_BYTES_MIN = 32;

export const ROLES = ["viewer", "editor", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** Whom a token stands for. */
export interface Session {
	readonly user: string;
	readonly role: Role;
	/** The only project the token is for. */
	readonly project: string;
	/** Milliseconds since the epoch. */
	readonly expiresAt: number;
}

/** What a login would do, which has users and their passwords. */
export function issueToken(session: Session): Promise<string> {
	return new SignJWT({ role: session.role, project: session.project })
		.setProtectedHeader({ alg: "HS256" })
		.setSubject(session.user)
		.setIssuer(ISSUER)
		.setAudience(AUDIENCE)
		.setExpirationTime(new Date(session.expiresAt))
		.sign(secret());
}

/**
 * Throws `unauthorized`, or `token_expired`, which tells a client that a new token helps. With an identity provider, its public keys take
 * the place of the secret: `createRemoteJWKSet(new URL("https://…/.well-known/jwks.json"))`.
 */
export async function verifyToken(token: unknown): Promise<Session> {
	if (typeof token !== "string") throw new UserError("No token", { code: "unauthorized" });
	try {
		await jwtVerify(token, secret(), {
			algorithms: ["HS256"],
			issuer: ISSUER,
			audience: AUDIENCE,
			requiredClaims: ["sub", "exp", "role", "project"],
		});
	} catch (error) {
		if (error instanceof errors.JWTExpired) {
			throw new UserError("The token has expired", { code: "token_expired" });
		}
		if (error instanceof errors.JOSEError) {
			throw new UserError("The token is not valid", { code: "unauthorized" });
		}
		throw error;
	}
	return sessionOf(token);
}

/** What a verified token says. */
export function sessionOf(token: string): Session {
	const { sub, exp, role, project } = decodeJwt<{ role: Role; project: string }>(token);
	if (!sub || !exp || !ROLES.includes(role)) {
		throw new UserError("The token is not valid", { code: "unauthorized" });
	}
	return { user: sub, role, project, expiresAt: exp * 1_000 };
}

function secret(): Uint8Array {
	const bytes = new TextEncoder().encode(process.env.JWT_SECRET);
	if (bytes.length < SECRET_BYTES_MIN) {
		throw new Error(`Set JWT_SECRET to at least ${SECRET_BYTES_MIN} bytes`);
	}
	return bytes;
}
