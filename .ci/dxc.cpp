// Compiles HLSL files to DXIL by Microsoft's DXC, as DirectX 12 takes them. Any message is a fault.
//
//     dxc LIBRARY FILE…
//
// LIBRARY: libdxcompiler. Built with the headers that lie beside it in the source package of `compushady` (PyPI).
#include "WinAdapter.h"

#include "dxcapi.h"

#include <chrono>
#include <cstdio>
#include <dlfcn.h>
#include <fstream>
#include <iterator>
#include <string>

// What was said but for the words that the program is not signed: what signs it is for Windows alone.
static std::string without_signature(std::string said) {
  const std::string unsigned_words = "warning: DXIL.dll not found.  Resulting DXIL will not be signed for use in release "
                                     "environments.";
  const size_t at = said.find(unsigned_words);
  if (at != std::string::npos) said.erase(at, unsigned_words.size());
  said.erase(0, said.find_first_not_of("\r\n "));
  return said;
}

int main(int n, char **words) {
  if (n < 3) {
    fprintf(stderr, "usage: dxc LIBRARY FILE...\n");
    return 2;
  }
  void *library = dlopen(words[1], RTLD_NOW);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return 2;
  }
  auto create = reinterpret_cast<DxcCreateInstanceProc>(dlsym(library, "DxcCreateInstance"));
  CComPtr<IDxcCompiler3> compiler;
  if (!create || FAILED(create(CLSID_DxcCompiler, __uuidof(IDxcCompiler3), reinterpret_cast<void **>(&compiler)))) {
    fprintf(stderr, "%s has no compiler\n", words[1]);
    return 2;
  }
  int faults = 0;
  for (int i = 2; i < n; i++) {
    std::ifstream file(words[i], std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    const DxcBuffer source = {text.data(), text.size(), DXC_CP_UTF8};
    // As wgpu calls it.
    LPCWSTR flags[] = {L"-T", L"cs_6_0", L"-E", L"main", L"-HV", L"2018", L"-no-warnings", L"-Ges"};
    CComPtr<IDxcResult> result;
    const auto start = std::chrono::steady_clock::now();
    compiler->Compile(&source, flags, sizeof flags / sizeof *flags, nullptr, __uuidof(IDxcResult),
                      reinterpret_cast<void **>(&result));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    HRESULT status = E_FAIL;
    CComPtr<IDxcBlobUtf8> said;
    CComPtr<IDxcBlob> object;
    if (result) {
      result->GetStatus(&status);
      result->GetOutput(DXC_OUT_ERRORS, __uuidof(IDxcBlobUtf8), reinterpret_cast<void **>(&said), nullptr);
      result->GetOutput(DXC_OUT_OBJECT, __uuidof(IDxcBlob), reinterpret_cast<void **>(&object), nullptr);
    }
    const std::string message = said ? without_signature(said->GetStringPointer()) : "";
    const bool is_right = SUCCEEDED(status) && message.empty() && object && object->GetBufferSize() > 0;
    faults += !is_right;
    printf("%s: %zu bytes, %.2f s %s\n", words[i], object ? object->GetBufferSize() : 0, took.count(),
           is_right ? "" : message.empty() ? "failed" : message.c_str());
  }
  printf(faults ? "%d files with messages\n" : "no message\n", faults);
  return faults ? 1 : 0;
}
