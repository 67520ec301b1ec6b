import { useEffect, useRef } from "react";

/** Whether what asks is still on the page: for what ends later, and has to be told elsewhere then. */
export function useIsOnPage(): () => boolean {
	const isOnPage = useRef(false);
	useEffect(() => {
		isOnPage.current = true;
		return () => {
			isOnPage.current = false;
		};
	}, []);
	return () => isOnPage.current;
}
