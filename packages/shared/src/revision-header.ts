/**
 * The response header that tells a browser which revision of which session the request has left: the revision, a space and
 * the identifier; `0` where there is no session.
 */
export const revisionHeader = "x-session-rev";
