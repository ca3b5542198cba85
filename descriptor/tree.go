package descriptor

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of a descriptor.
const (
	MaxSize       = 1 << 20 // bytes of the whole document
	MaxDepth      = 32      // elements within elements
	MaxAttributes = 64      // of one element
)

// element is one XML element with its place; path is its name below its
// parents' names.
type element struct {
	name, path   string
	line, column int
	attrs        map[string]string
	text         strings.Builder
	children     []*element
}

// treeReader builds the tree of elements within the bounds.
type treeReader struct {
	file  string
	dec   *xml.Decoder
	stack []*element
	root  *element
}

func readTree(r io.Reader, file string) (*element, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read descriptor %s: %w", file, err)
	}
	if len(data) > MaxSize {
		return nil, &Error{File: file, Line: 1, Column: 1, Message: fmt.Sprintf("the document is larger than %d bytes", MaxSize)}
	}
	t := &treeReader{file: file, dec: xml.NewDecoder(bytes.NewReader(data))}
	t.dec.CharsetReader = func(label string, _ io.Reader) (io.Reader, error) {
		return nil, errors.New("UTF-8 is expected")
	}
	for {
		line, column := t.dec.InputPos()
		tok, err := t.dec.RawToken()
		if errors.Is(err, io.EOF) {
			return t.finish(line, column)
		}
		if err != nil {
			return nil, t.syntaxError(err)
		}
		if err := t.token(tok, line, column); err != nil {
			return nil, err
		}
	}
}

func (t *treeReader) finish(line, column int) (*element, error) {
	if len(t.stack) > 0 {
		open := t.stack[len(t.stack)-1]
		return nil, t.fail(line, column, fmt.Sprintf("the document ends inside <%s>, opened on line %d", open.name, open.line))
	}
	if t.root == nil {
		return nil, t.fail(line, column, "the document is empty; <service guid=… version=…> is expected")
	}
	return t.root, nil
}

// syntaxError gives the decoder's complaint a place and drops its own prefix.
func (t *treeReader) syntaxError(err error) error {
	line, column := t.dec.InputPos()
	message := err.Error()
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		message = "not well-formed XML: " + syntax.Msg
	}
	message = strings.TrimPrefix(message, "xml: ")
	return t.fail(line, column, message)
}

func (t *treeReader) fail(line, column int, message string) error {
	e := &Error{File: t.file, Line: line, Column: max(column, 1), Message: message}
	if len(t.stack) > 0 {
		e.Element = t.stack[len(t.stack)-1].path
	}
	return e
}

func (t *treeReader) token(tok xml.Token, line, column int) error {
	switch tok := tok.(type) {
	case xml.StartElement:
		return t.open(tok, line, column)
	case xml.EndElement:
		return t.close(tok, line, column)
	case xml.CharData:
		return t.chars(tok, line, column)
	case xml.Directive:
		return t.fail(line, column, "a DOCTYPE or other <!…> declaration is not allowed")
	case xml.ProcInst:
		return t.instruction(tok, line, column)
	}
	return nil
}

// instruction accepts the XML declaration at the head of the document only.
func (t *treeReader) instruction(p xml.ProcInst, line, column int) error {
	if p.Target != "xml" || t.root != nil || line != 1 {
		return t.fail(line, column, fmt.Sprintf("the processing instruction <?%s?> is not allowed here", p.Target))
	}
	return nil
}

func (t *treeReader) open(s xml.StartElement, line, column int) error {
	if t.root != nil && len(t.stack) == 0 {
		return t.fail(line, column, fmt.Sprintf("<%s> after the end of the document", s.Name.Local))
	}
	if len(t.stack) == MaxDepth {
		return t.fail(line, column, fmt.Sprintf("elements are nested deeper than %d", MaxDepth))
	}
	e := &element{name: qualified(s.Name), line: line, column: column, attrs: map[string]string{}}
	e.path = e.name
	if len(t.stack) > 0 {
		parent := t.stack[len(t.stack)-1]
		e.path = parent.path + "/" + e.name
		parent.children = append(parent.children, e)
	} else {
		t.root = e
	}
	t.stack = append(t.stack, e)
	if len(s.Attr) > MaxAttributes {
		return t.fail(line, column, fmt.Sprintf("the element has more than %d attributes", MaxAttributes))
	}
	for _, a := range s.Attr {
		name := qualified(a.Name)
		if _, twice := e.attrs[name]; twice {
			return t.fail(line, column, fmt.Sprintf("the attribute %q is given twice", name))
		}
		e.attrs[name] = a.Value
	}
	return nil
}

func (t *treeReader) close(end xml.EndElement, line, column int) error {
	if len(t.stack) == 0 {
		return t.fail(line, column, fmt.Sprintf("</%s> closes nothing", qualified(end.Name)))
	}
	open := t.stack[len(t.stack)-1]
	if open.name != qualified(end.Name) {
		return t.fail(line, column, fmt.Sprintf("</%s> does not close <%s>, opened on line %d", qualified(end.Name), open.name, open.line))
	}
	t.stack = t.stack[:len(t.stack)-1]
	return nil
}

func (t *treeReader) chars(c xml.CharData, line, column int) error {
	if len(t.stack) > 0 {
		t.stack[len(t.stack)-1].text.Write(c)
		return nil
	}
	if text := strings.Trim(string(c), " \t\r\n\ufeff"); text != "" {
		return t.fail(line, column, "there is text outside the document's element")
	}
	return nil
}

func qualified(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}
