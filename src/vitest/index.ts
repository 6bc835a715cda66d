export { FlybackError } from '../errors/error.js';
