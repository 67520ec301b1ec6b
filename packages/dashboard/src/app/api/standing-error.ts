import type { UseQueryResult } from "@tanstack/react-query";
import { useState } from "react";
import { useSession } from "./context.tsx";

/**
 * Why a query has no data, also while it is asked again: it forgets that meanwhile, and what is shown for it, such as a form
 * that somebody types in, would come and go. Until there is data, another error, or another session.
 */
export function useStandingError({
	data,
	error,
	fetchStatus,
}: UseQueryResult<unknown, unknown>): unknown {
	const { session } = useSession();
	const [last, setLast] = useState<{ readonly session: unknown; readonly error: unknown }>();
	const isAskedAgain = data === undefined && error === null && fetchStatus !== "idle";
	const standing = isAskedAgain && last?.session === session ? last.error : error;
	if (last?.session !== session || last.error !== standing) setLast({ session, error: standing });
	return standing;
}
