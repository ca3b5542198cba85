package profiles

import (
	"sort"
	"strings"
)

// didYouMean suggests the nearest of the allowed words, or lists them where
// they are few and none is near.
func didYouMean(word string, allowed []string) string {
	best, distance := "", len(word)/3+2
	for _, candidate := range allowed {
		if d := editDistance(strings.ToLower(word), strings.ToLower(candidate), distance); d < distance {
			best, distance = candidate, d
		}
	}
	if best != "" {
		return "; did you mean " + best + "?"
	}
	if len(allowed) == 0 {
		return "; none is defined"
	}
	list := append([]string(nil), allowed...)
	sort.Strings(list)
	const most = 50
	if len(list) > most {
		list = append(list[:most:most], "…")
	}
	return "; allowed: " + strings.Join(list, ", ")
}

// editDistance is Levenshtein's, cut off at limit.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
