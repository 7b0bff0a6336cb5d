package decode

import (
	"bytes"
	"math"
	"strconv"

	"sluice/store"
)

// number is a number as it was pushed, and its value.
type number struct {
	text  []byte
	value float64
	plain bool // text is what store.AppendNumber would write
}

// append writes the number as store.AppendNumber does.
func (n number) append(dst []byte) []byte {
	if n.plain {
		return append(dst, n.text...)
	}
	return store.AppendNumber(dst, n.value)
}

// isCount tells whether the number is one that a histogram or summary counts
// as an integer, without loss.
func (n number) isCount() bool {
	return n.value >= 0 && n.value <= maxExact && n.value == math.Trunc(n.value)
}

// scanNumber reads a number by expfmt's rules. It is not sure about negative
// zeros, which text does not carry.
func scanNumber(text []byte) (number, bool) {
	if n, ok := scanDecimal(text); ok {
		return n, true
	}
	if bytes.ContainsAny(text, "pP_") {
		return number{}, false
	}
	value, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !isPlain(value) {
		return number{}, false
	}
	return number{text: text, value: value}, true
}

// maxDigits is the number of significant digits up to which every decimal
// survives the way through a float64, so that it is itself the shortest text of
// its value, and up to which an integer and a power of ten are exact, so that
// their quotient is the nearest value.
const maxDigits = 15

// powersOfTen are exact in float64.
var powersOfTen = [maxDigits + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// scanDecimal reads what most numbers look like: digits, perhaps with a sign
// and a fraction, and without zeros that could be left out. It is not sure
// about anything else. It does without strconv, whose reading and writing would
// be a third of the time of a push.
func scanDecimal(text []byte) (number, bool) {
	digits := text
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		digits = text[1:]
	}
	if len(digits) == 0 || len(digits) > maxDigits+1 {
		return number{}, false
	}
	mantissa, point := uint64(0), len(digits)
	for i, c := range digits {
		if c-'0' <= 9 {
			mantissa = mantissa*10 + uint64(c-'0')
		} else if c == '.' && point == len(digits) {
			point = i
		} else {
			return number{}, false
		}
	}
	fraction := max(len(digits)-point-1, 0)
	switch {
	case point == 0, point > maxDigits: // .5, or too long
		return number{}, false
	case digits[0] == '0' && point > 1: // 007
		return number{}, false
	case point < len(digits) && (fraction == 0 || digits[len(digits)-1] == '0'): // 1. or 1.50
		return number{}, false
	case mantissa == 0 && negative:
		return number{}, false
	}
	value := float64(mantissa) / powersOfTen[fraction]
	// From 1e+06 on, and below 0.0001, numbers are written with an exponent.
	plain := mantissa == 0 || value < 1e6 && value >= 1e-4
	if negative {
		value = -value
	}
	return number{text: text, value: value, plain: plain}, true
}
