package importfile

import (
	"errors"
	"fmt"
)

// gobKind is a kind of type in a gob stream.
type gobKind int

// The kinds in the order of the fields in which the stream describes them.
const (
	gobArray gobKind = iota
	gobSlice
	gobStruct
	gobMap
	gobOpaque // a value that wrote its bytes itself
	gobBinary
	gobText
)

// Numbers of the types that every stream has.
const (
	gobUintID   = 3
	gobStringID = 6
)

// gobType is a type as the stream describes it.
type gobType struct {
	kind      gobKind
	key, elem int64      // of a map
	fields    []gobField // of a struct
}

type gobField struct {
	name string
	id   int64
}

// maxTypes bounds how many types a stream may describe. A persistence file has
// seven.
const maxTypes = 64

// errNotPushgateway means that Pushgateway did not write the file.
var errNotPushgateway = errors.New("it is not a persistence file of Pushgateway")

// types reads the descriptions at the beginning of a stream, up to the message
// with the value, and returns the number of the value's type.
func (r *gobReader) types() (map[int64]gobType, int64, error) {
	types := map[int64]gobType{}
	for {
		if err := r.next(); err != nil {
			return nil, 0, err
		}
		id, err := r.int()
		if err != nil || id >= 0 {
			return types, id, err
		}
		t, err := r.gobType()
		if err != nil {
			return nil, 0, err
		}
		if types[-id] = t; len(types) > maxTypes {
			return nil, 0, errNotPushgateway
		}
	}
}

// gobType reads one description: a struct of which one field is set.
func (r *gobReader) gobType() (gobType, error) {
	t := gobType{kind: -1}
	err := r.fields(func(kind int) error {
		t.kind = gobKind(kind)
		return r.fields(func(field int) error {
			var err error
			switch {
			case field == 0:
				return r.skipCommon()
			case t.kind == gobMap && field == 1:
				t.key, err = r.int()
			case t.kind == gobMap && field == 2:
				t.elem, err = r.int()
			case t.kind == gobStruct && field == 1:
				t.fields, err = r.structFields()
			case t.kind == gobArray || t.kind == gobSlice:
				_, err = r.int()
			default:
				err = errNotPushgateway
			}
			return err
		})
	})
	return t, err
}

// skipCommon reads what all types have: a name and the number again.
func (r *gobReader) skipCommon() error {
	return r.fields(func(field int) error {
		var err error
		if field == 0 {
			_, err = r.bytes()
		} else {
			_, err = r.int()
		}
		return err
	})
}

func (r *gobReader) structFields() ([]gobField, error) {
	n, err := r.uint()
	if err != nil {
		return nil, err
	}
	if n > maxTypes {
		return nil, errNotPushgateway
	}
	all := make([]gobField, n)
	for i := range all {
		err := r.fields(func(field int) (err error) {
			if field == 0 {
				all[i].name, err = r.string()
			} else {
				all[i].id, err = r.int()
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// layout says what the fields of the structs in a file mean.
type layout struct {
	group, family []string // names of the fields in their order
}

// Fields of a group and of a family.
const (
	fieldLabels  = "Labels"
	fieldMetrics = "Metrics"
	fieldTime    = "Timestamp"
	fieldFamily  = "GobbableMetricFamily"
)

// layoutOf checks that a stream has the type that Pushgateway 0.10 and later write:
// map[string]struct{Labels map[string]string; Metrics
// map[string]struct{Timestamp time.Time; GobbableMetricFamily *dto.MetricFamily}}.
// It refuses other fields, because ignoring them could lose data.
func layoutOf(types map[int64]gobType, root int64) (layout, error) {
	groups := types[root]
	group := types[groups.elem]
	if groups.kind != gobMap || group.kind != gobStruct {
		return layout{}, errNotPushgateway
	}
	if groups.key == gobUintID {
		return layout{}, errors.New("it was written by a Pushgateway before 0.10: let 0.10 convert it")
	}
	if groups.key != gobStringID {
		return layout{}, errNotPushgateway
	}
	var l layout
	for _, f := range group.fields {
		t := types[f.id]
		switch {
		case f.name == fieldLabels && isMap(t) && t.elem == gobStringID:
		case f.name == fieldMetrics && isMap(t):
			var err error
			if l.family, err = familyLayout(types, types[t.elem]); err != nil {
				return layout{}, err
			}
		default:
			return layout{}, fmt.Errorf("%w: its groups have a field %.80q", errNotPushgateway, f.name)
		}
		l.group = append(l.group, f.name)
	}
	if l.family == nil {
		return layout{}, errNotPushgateway
	}
	return l, nil
}

func isMap(t gobType) bool { return t.kind == gobMap && t.key == gobStringID }

func familyLayout(types map[int64]gobType, family gobType) ([]string, error) {
	if family.kind != gobStruct {
		return nil, errNotPushgateway
	}
	names := []string{}
	for _, f := range family.fields {
		kind := types[f.id].kind
		opaque := kind == gobOpaque || kind == gobBinary
		if !opaque || f.name != fieldTime && f.name != fieldFamily {
			return nil, fmt.Errorf("%w: its families have a field %.80q", errNotPushgateway, f.name)
		}
		names = append(names, f.name)
	}
	return names, nil
}
