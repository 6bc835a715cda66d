/**
 * The name of the one column of a guard: the session that reads the answer takes anything but t for a failure. No other
 * statement of flyback's, and none of anybody's, gives a column this name.
 */
export const guardColumn = 'flyback_guard';
