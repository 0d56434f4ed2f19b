/**
 * The response header that tells a browser which revision of which session the request has left: the revision, a space and
 * the identifier; `Infinity` in the place of the revision where the request has ended it, `0` where there is no session.
 */
export const revisionHeader = "x-session-rev";
