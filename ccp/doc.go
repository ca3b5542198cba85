package ccp
