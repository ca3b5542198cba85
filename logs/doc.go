package logs
