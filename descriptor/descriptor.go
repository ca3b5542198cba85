package descriptor

// Descriptor is a ServiceDescriptor.xml with its defaults filled in.
type Descriptor struct {
	GUID             string     `json:"guid" yaml:"guid"`
	Version          string     `json:"version" yaml:"version"`
	Licensed         bool       `json:"licensed" yaml:"licensed"`
	Display          Display    `json:"display" yaml:"display"`
	Icon             *Icon      `json:"icon,omitempty" yaml:"icon,omitempty"`
	Creation         Creation   `json:"creation" yaml:"creation"`
	ShortDescription string     `json:"shortDescription,omitempty" yaml:"shortDescription,omitempty"`
	LongDescription  string     `json:"longDescription,omitempty" yaml:"longDescription,omitempty"`
	Deployment       Deployment `json:"deployment" yaml:"deployment"`
	// Execution is nil for a library: something other components refer to
	// and nobody runs.
	Execution *Execution `json:"execution,omitempty" yaml:"execution,omitempty"`
}

// Display is how tools show the component.
type Display struct {
	Name       string   `json:"name" yaml:"name"`
	Categories []string `json:"categories,omitempty" yaml:"categories,omitempty"`
}

// Icon names image files beside the descriptor.
type Icon struct {
	Small string `json:"small,omitempty" yaml:"small,omitempty"`
	Large string `json:"large,omitempty" yaml:"large,omitempty"`
}

// Creation says who wrote the component and when; dates are kept as written,
// in the form "25-01-2007 12:00:00".
type Creation struct {
	Date         string   `json:"date,omitempty" yaml:"date,omitempty"`
	LastModified string   `json:"lastModified,omitempty" yaml:"lastModified,omitempty"`
	Authors      []string `json:"authors,omitempty" yaml:"authors,omitempty"`
}

// Deployment is what the component needs where it is installed.
type Deployment struct {
	Label           string       `json:"label,omitempty" yaml:"label,omitempty"`
	OS              OS           `json:"os" yaml:"os"`
	AutoInstallable bool         `json:"autoInstallable" yaml:"autoInstallable"`
	Resources       []Resource   `json:"resources,omitempty" yaml:"resources,omitempty"`
	ServiceRefs     []ServiceRef `json:"serviceRefs,omitempty" yaml:"serviceRefs,omitempty"`
}

// Resource is a file that belongs to the component.
type Resource struct {
	Name                     string `json:"name" yaml:"name"`
	TransferMode             int    `json:"transferMode" yaml:"transferMode"`
	OS                       OS     `json:"os" yaml:"os"`
	RequiredForConfiguration bool   `json:"requiredForConfiguration" yaml:"requiredForConfiguration"`
	RequiredForExecution     bool   `json:"requiredForExecution" yaml:"requiredForExecution"`
}

// ServiceRef refers to another component whose resources this one uses.
type ServiceRef struct {
	GUID    string `json:"guid" yaml:"guid"`
	Version string `json:"version" yaml:"version"`
}

// Kind says what a component's executable is.
type Kind int

// The kinds, with the numbers of the file.
const (
	Java       Kind = 0 // executable names a class
	Executable Kind = 1 // executable names a program
)

// Execution says how the component is run.
type Execution struct {
	Type             Kind             `json:"type" yaml:"type"`
	Subtype          string           `json:"subtype,omitempty" yaml:"subtype,omitempty"`
	Failover         bool             `json:"failover" yaml:"failover"`
	Transaction      bool             `json:"transaction" yaml:"transaction"`
	CCP              *CCPRange        `json:"ccp,omitempty" yaml:"ccp,omitempty"`
	LaunchType       LaunchType       `json:"launchType" yaml:"launchType"`
	SeparateProcess  *SeparateProcess `json:"separateProcess,omitempty" yaml:"separateProcess,omitempty"`
	InMemory         *InMemory        `json:"inMemory,omitempty" yaml:"inMemory,omitempty"`
	CPS              *CPS             `json:"cps,omitempty" yaml:"cps,omitempty"`
	InputPorts       []Port           `json:"inputPorts,omitempty" yaml:"inputPorts,omitempty"`
	OutputPorts      []Port           `json:"outputPorts,omitempty" yaml:"outputPorts,omitempty"`
	ExceptionPort    bool             `json:"exceptionPort" yaml:"exceptionPort"`
	LogModules       []LogModule      `json:"logModules,omitempty" yaml:"logModules,omitempty"`
	RuntimeArguments []Argument       `json:"runtimeArguments,omitempty" yaml:"runtimeArguments,omitempty"`
}

// CCPRange is the `ccp` element: its presence says that the component speaks
// CCP, its attributes in which versions.
type CCPRange struct {
	Min string `json:"minVersionSupported" yaml:"minVersionSupported"`
	Max string `json:"maxVersionSupported" yaml:"maxVersionSupported"`
}

// LaunchType holds the launch kinds: Supported is a mask, Preferred one of them.
type LaunchType struct {
	Supported LaunchKind `json:"supported" yaml:"supported"`
	Preferred LaunchKind `json:"preferred" yaml:"preferred"`
}

// SeparateProcess is the program, or class, of the component's own process.
type SeparateProcess struct {
	Executable       string `json:"executable" yaml:"executable"`
	WorkingDirectory string `json:"workingDirectory" yaml:"workingDirectory"`
}

// InMemory is what runs inside the peer itself.
type InMemory struct {
	Executable string `json:"executable" yaml:"executable"`
}

// CPS describes the component's property sheet; peerd keeps it as data.
type CPS struct {
	Mandatory          bool   `json:"mandatory" yaml:"mandatory"`
	InMemoryLaunchable bool   `json:"inMemoryLaunchable" yaml:"inMemoryLaunchable"`
	Launcher           string `json:"launcher,omitempty" yaml:"launcher,omitempty"`
	DefaultValue       string `json:"defaultValue,omitempty" yaml:"defaultValue,omitempty"`
}

// Port is an input or output of the component, kept for PORT_CONFIGURATION.
type Port struct {
	Name         string  `json:"name" yaml:"name"`
	RequestReply bool    `json:"requestReply" yaml:"requestReply"`
	Description  string  `json:"description,omitempty" yaml:"description,omitempty"`
	Schema       *Schema `json:"schema,omitempty" yaml:"schema,omitempty"`
}

// Schema is the type of a port's messages.
type Schema struct {
	Root string `json:"root,omitempty" yaml:"root,omitempty"`
	File string `json:"file,omitempty" yaml:"file,omitempty"`
	Text string `json:"text,omitempty" yaml:"text,omitempty"`
}

// LogModule is a logger of the component and the level it starts with.
type LogModule struct {
	Name               string `json:"name" yaml:"name"`
	Level              string `json:"level" yaml:"level"`
	UniqueNameRequired bool   `json:"uniqueNameRequired" yaml:"uniqueNameRequired"`
}

// Argument is a runtime argument. Value is its default; HasValue tells an
// empty default from none.
type Argument struct {
	Name      string       `json:"name" yaml:"name"`
	Type      ArgumentType `json:"type" yaml:"type"`
	Mandatory bool         `json:"mandatory" yaml:"mandatory"`
	InMemory  bool         `json:"inMemory" yaml:"inMemory"`
	Value     string       `json:"value,omitempty" yaml:"value,omitempty"`
	HasValue  bool         `json:"hasValue" yaml:"hasValue"`
}
