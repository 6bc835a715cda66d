export { FlybackError, exitCodes, type ErrorCode, type ExitCode } from './errors/error.js';
