package component
